export { Home } from "./Home";
export { StartingSession } from "./StartingSession";
