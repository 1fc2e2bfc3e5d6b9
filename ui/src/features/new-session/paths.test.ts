import { describe, expect, it } from "vitest";
import { asFolder, parentOf, splitTyped, trimmed } from "./paths";

describe("typed paths", () => {
  it("split into the folder to list and the start of a name", () => {
    expect(splitTyped("/home/ana/pro")).toEqual({ folder: "/home/ana", prefix: "pro" });
    expect(splitTyped("/ho")).toEqual({ folder: "/", prefix: "ho" });
    expect(splitTyped("C:\\Us")).toEqual({ folder: "C:\\", prefix: "Us" });
    expect(splitTyped("C:\\Users\\a")).toEqual({ folder: "C:\\Users", prefix: "a" });
  });

  it("go up as far as the top", () => {
    expect(parentOf("/home/ana/")).toBe("/home");
    expect(parentOf("/home")).toBe("/");
    expect(parentOf("/")).toBeUndefined();
    expect(parentOf("C:\\Users")).toBe("C:\\");
  });

  it("keep the separator of their system", () => {
    expect(asFolder("/home")).toBe("/home/");
    expect(asFolder("C:\\Users")).toBe("C:\\Users\\");
    expect(trimmed("/home/")).toBe("/home");
    expect(trimmed("/")).toBe("/");
  });
});
