export { SessionScreen } from "./SessionScreen";
export { forgetModels } from "./models";
