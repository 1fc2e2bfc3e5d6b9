import { useEffect, useRef } from "react";

let counter = 0;

function layerOf(state: unknown): number | undefined {
  if (typeof state !== "object" || state === null || !("layer" in state)) return undefined;
  return typeof state.layer === "number" ? state.layer : undefined;
}

/**
 * While `open`, the browser's Back closes the layer instead of leaving the screen.
 * Only on touch layouts: there Back is the gesture people use to close a sheet.
 */
export function useBackCloses(open: boolean, close: () => void): void {
  const latest = useRef(close);
  latest.current = close;
  useEffect(() => {
    if (!open || !matchMedia("(pointer: coarse)").matches) return undefined;
    const layer = ++counter;
    history.pushState({ layer }, "");
    let gone = false;
    const onPop = () => {
      if (layerOf(history.state) === layer) return;
      gone = true;
      latest.current();
    };
    addEventListener("popstate", onPop);
    return () => {
      removeEventListener("popstate", onPop);
      if (!gone && layerOf(history.state) === layer) history.back();
    };
  }, [open]);
}
