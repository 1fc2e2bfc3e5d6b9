export { NewSession, type Prefill } from "./NewSession";
export { FolderPicker } from "./FolderPicker";
export { DEMO_MODEL, ModelSelect, modelItems, modelKey } from "./ModelSelect";
