export { startNotifications, askPermission } from "./notify";
