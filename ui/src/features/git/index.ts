export { Changes } from "./Changes";
