export { Files } from "./Files";
