export { createKey, deleteKey, type NewKey } from "./api";
