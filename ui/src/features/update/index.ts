export { UpdateBar } from "./UpdateBar";
export { startUpdates } from "./updates";
