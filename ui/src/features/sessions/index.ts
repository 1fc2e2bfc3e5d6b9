export { SessionList } from "./SessionList";
export { RowMenu } from "./RowMenu";
export { titleOf, startingTitle } from "./grouping";
export { copyLink, duplicate, endSession, renameSession, togglePin } from "./actions";
export { useSessionStatus } from "./useSessionStatus";
