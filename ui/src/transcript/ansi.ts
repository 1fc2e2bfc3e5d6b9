/** Terminal output without what a page cannot show. Colours are for `spans.ts`, which is loaded when somebody looks. */

// Operating-system commands (titles, links), character-set choices and other controls that draw nothing.
// eslint-disable-next-line no-control-regex
const SILENT = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[()*+][0-9A-Za-z]|\u001b[=>78cDEHMNOZ]|\u001b\[[0-9;?]*[A-LN-Za-ln-z]|[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]/g;

/** Output as a person would have seen it: carriage returns overwrite their line. */
export function cleanOutput(text: string): string {
  const silent = text.includes("\u001b") || hasControls(text) ? text.replace(/\r\n/g, "\n").replace(SILENT, "") : text.replace(/\r\n/g, "\n");
  if (!silent.includes("\r")) return silent;
  return silent
    .split("\n")
    .map((line) => {
      const parts = line.split("\r").filter((part) => part !== "");
      return parts.at(-1) ?? "";
    })
    .join("\n");
}

function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 32 && code !== 9 && code !== 10 && code !== 13) return true;
  }
  return false;
}

export function hasAnsi(text: string): boolean {
  return text.includes("\u001b[");
}

export function stripAnsi(text: string): string {
  // eslint-disable-next-line no-control-regex
  return cleanOutput(text).replace(/\u001b\[[0-9;]*m/g, "");
}
