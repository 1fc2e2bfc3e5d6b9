export { ClaimPage } from "./ClaimPage";
export { MobileLinkPage } from "./MobileLinkPage";
