import type { ITheme } from "@xterm/xterm";

/** Any colour the style sheets may say, as the emulator's parser takes it. */
function resolve(name: string): string {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  if (!context || value === "") return "#888888";
  context.fillStyle = value;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

export function terminalTheme(): ITheme {
  const accent = resolve("--accent");
  return {
    background: resolve("--sunken"),
    foreground: resolve("--text"),
    cursor: resolve("--text"),
    cursorAccent: resolve("--sunken"),
    selectionBackground: `${accent}44`,
    black: resolve("--ansi-black"),
    red: resolve("--ansi-red"),
    green: resolve("--ansi-green"),
    yellow: resolve("--ansi-yellow"),
    blue: resolve("--ansi-blue"),
    magenta: resolve("--ansi-magenta"),
    cyan: resolve("--ansi-cyan"),
    white: resolve("--ansi-white"),
    brightBlack: resolve("--text-3"),
    brightRed: resolve("--ansi-red"),
    brightGreen: resolve("--ansi-green"),
    brightYellow: resolve("--ansi-yellow"),
    brightBlue: resolve("--ansi-blue"),
    brightMagenta: resolve("--ansi-magenta"),
    brightCyan: resolve("--ansi-cyan"),
    brightWhite: resolve("--text"),
  };
}
