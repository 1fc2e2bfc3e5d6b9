import { useEffect } from "react";

const SLICE =
  '<path d="M4.6 8.4C11.7 5 20.3 5 27.4 8.4L16.9 28.1a1 1 0 0 1-1.8 0Z" fill="FILL"/><path d="M3.6 6.9C11.2 3 20.8 3 28.4 6.9" fill="none" stroke="FILL" stroke-width="2.6" stroke-linecap="round" opacity=".55"/>';

/** Title, icon and app badge say what waits, so that a glance at the tab is enough. */
export function useTitle(name: string | undefined, needs: number, running: boolean): void {
  useEffect(() => {
    document.title = `${needs > 0 ? `(${needs}) ` : ""}${name ? `${name} — ` : ""}PizzaPi`;
  }, [name, needs]);

  useEffect(() => {
    const link = document.getElementById("favicon");
    if (!(link instanceof HTMLLinkElement)) return;
    const dot = needs > 0 ? "#e08a00" : running ? "#2f81d6" : undefined;
    if (!dot) {
      link.href = "/favicon.svg";
      return;
    }
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${SLICE.replaceAll("FILL", "#8a8580")}<circle cx="25" cy="24" r="7" fill="${dot}"/></svg>`;
    link.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  }, [needs, running]);

  useEffect(() => {
    // Refused where the app is not installed; the title says the same.
    if ("setAppBadge" in navigator) void (needs > 0 ? navigator.setAppBadge(needs) : navigator.clearAppBadge()).catch(() => undefined);
  }, [needs]);
}
