import { useSyncExternalStore } from "react";

/** Layout classes by available width: S < 640, M < 1080, L < 1600, XL. */
export type Width = "S" | "M" | "L" | "XL";

const M = "(min-width: 640px)";
const L = "(min-width: 1080px)";
const XL = "(min-width: 1600px)";

function listen(query: string, onChange: () => void): () => void {
  const list = matchMedia(query);
  list.addEventListener("change", onChange);
  return () => list.removeEventListener("change", onChange);
}

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (onChange) => listen(query, onChange),
    () => matchMedia(query).matches,
  );
}

export function currentWidth(): Width {
  if (matchMedia(XL).matches) return "XL";
  if (matchMedia(L).matches) return "L";
  return matchMedia(M).matches ? "M" : "S";
}

export function useWidth(): Width {
  return useSyncExternalStore((onChange) => {
    const stops = [M, L, XL].map((query) => listen(query, onChange));
    return () => stops.forEach((stop) => stop());
  }, currentWidth);
}

/** The main pointer is a finger. */
export function useTouch(): boolean {
  return useMedia("(pointer: coarse)");
}
