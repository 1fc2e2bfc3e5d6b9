export { AutomationsPage } from "./AutomationsPage";
