import { describe, expect, it } from "vitest";
import { APPLE, isField, matches } from "./hotkeys";

const press = (key: string, more: Partial<KeyboardEvent> = {}) => ({ key, code: "", ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

describe("shortcuts", () => {
  it("want exactly their modifiers", () => {
    const mod = APPLE ? { metaKey: true } : { ctrlKey: true };
    expect(matches("Mod+K", press("k", mod))).toBe(true);
    expect(matches("Mod+K", press("k"))).toBe(false);
    expect(matches("Mod+K", press("k", { ...mod, shiftKey: true }))).toBe(false);
    expect(matches("Mod+Shift+O", press("O", { ...mod, shiftKey: true }))).toBe(true);
    expect(matches("?", press("?", { shiftKey: true }))).toBe(true);
    expect(matches("Ctrl+Backquote", press("`", { ctrlKey: true, code: "Backquote" }))).toBe(true);
  });

  it("know a text field from a button", () => {
    expect(isField(document.createElement("textarea"))).toBe(true);
    expect(isField(document.createElement("button"))).toBe(false);
    expect(isField(Object.assign(document.createElement("input"), { type: "checkbox" }))).toBe(false);
  });
});
