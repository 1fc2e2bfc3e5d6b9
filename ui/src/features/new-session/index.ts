export { NewSession, type Prefill } from "./NewSession";
export { FolderPicker } from "./FolderPicker";
export { ModelSelect, modelItems, modelKey } from "./ModelSelect";
