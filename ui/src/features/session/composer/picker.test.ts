import { describe, expect, it } from "vitest";
import { askedAt, match, parseCommand } from "./picker";

describe("what the text at the caret asks for", () => {
  it("is a command only at the very beginning", () => {
    expect(askedAt("/mod", 4)).toMatchObject({ kind: "command", query: "mod" });
    expect(askedAt("see /mod", 8)).toBeNull();
    expect(askedAt("/review sta", 11)).toMatchObject({ kind: "argument", command: "review", query: "sta", from: 8 });
  });

  it("is a file after an @ that begins a word", () => {
    expect(askedAt("look at @src/ma", 15)).toEqual({ kind: "mention", query: "src/ma", from: 8, to: 15 });
    expect(askedAt("me@example.org", 14)).toBeNull();
    expect(askedAt("@a b", 4)).toBeNull();
  });
});

describe("choices", () => {
  it("put what begins with the words before what contains them", () => {
    expect(match(["resume", "name", "rename"], "name", (entry) => entry)).toEqual(["name", "rename"]);
  });
});

describe("a command line", () => {
  it("is split into name and rest", () => {
    expect(parseCommand("/compact keep the\nplan ")).toEqual({ name: "compact", rest: "keep the\nplan" });
    expect(parseCommand("not /one")).toBeNull();
  });
});
