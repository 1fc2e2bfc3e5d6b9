export { RunnersPage } from "./RunnersPage";
export { RunnerPage } from "./RunnerPage";
