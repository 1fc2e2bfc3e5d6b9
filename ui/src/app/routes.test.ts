import { describe, expect, it } from "vitest";
import { parse, safeNext, to } from "./routes";

describe("addresses", () => {
  it("are read back as they were built", () => {
    expect(parse("/session/a%2Fb", "?p=changes&f=src%2Fx.rs&l=3-9&t=1")).toEqual({ name: "session", id: "a/b", p: "changes", f: "src/x.rs", l: "3-9", t: "1" });
    expect(to.session("a/b", { p: "changes", f: "src/x.rs" })).toBe("/session/a%2Fb?p=changes&f=src%2Fx.rs");
    expect(parse("/runners/r1/mcp", "")).toEqual({ name: "runner", id: "r1", tab: "mcp" });
    expect(parse("/runners/r1/nonsense", "")).toEqual({ name: "runner", id: "r1", tab: "overview" });
    expect(parse("/settings", "")).toEqual({ name: "settings", page: "account" });
  });

  it("say when they lead nowhere", () => {
    expect(parse("/nope", "").name).toBe("missing");
    expect(parse("/session/a/b", "").name).toBe("missing");
    expect(parse("/session/%E0%A4%A", "")).toMatchObject({ name: "session" });
  });

  it("follow a sign-in only inside the app", () => {
    expect(safeNext("/session/x?p=files")).toBe("/session/x?p=files");
    for (const bad of ["https://evil.example", "//evil.example", "/\\evil.example", undefined, "/sign-in?next=/x", "javascript:alert(1)"]) expect(safeNext(bad)).toBe("/");
  });
});
