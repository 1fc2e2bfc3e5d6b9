import { isField } from "./hotkeys";

/** Smaller differences are the browser's own bars, px. */
const KEYBOARD_MIN_PX = 120;

/**
 * Engines that do not shrink the page for the on-screen keyboard get its height as `--kb`, so that the composer stays above
 * it. Read only while something editable has focus and the page is not zoomed; gone on blur.
 */
export function followKeyboard(): () => void {
  const view = window.visualViewport;
  if (!view) return () => undefined;
  const root = document.documentElement;
  let frame = 0;
  const read = () => {
    frame = 0;
    const covered = isField(document.activeElement) && view.scale === 1 ? Math.max(0, window.innerHeight - view.height) : 0;
    root.style.setProperty("--kb", covered >= KEYBOARD_MIN_PX ? `${Math.round(covered)}px` : "0px");
    // The engine pushed the page up to show the field; with the room made above that is no longer needed.
    if (covered >= KEYBOARD_MIN_PX && window.scrollY > 0) window.scrollTo(0, 0);
  };
  const later = () => {
    if (frame === 0) frame = requestAnimationFrame(read);
  };
  view.addEventListener("resize", later);
  view.addEventListener("scroll", later);
  document.addEventListener("focusin", later);
  document.addEventListener("focusout", later);
  return () => {
    cancelAnimationFrame(frame);
    root.style.removeProperty("--kb");
    view.removeEventListener("resize", later);
    view.removeEventListener("scroll", later);
    document.removeEventListener("focusin", later);
    document.removeEventListener("focusout", later);
  };
}
