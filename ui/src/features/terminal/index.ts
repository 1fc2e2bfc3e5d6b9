export { RunnerTerminal } from "./RunnerTerminal";
export { Terminals } from "./Terminals";
export type { Place } from "./store";
