import { describe, expect, it } from "vitest";
import { readCode } from "./OtherBodies";

describe("what a person pastes after signing in", () => {
  it("is read as an address or as the bare code", () => {
    expect(readCode(" http://localhost:1/cb?code=abc123&state=s1 ")).toEqual({ code: "abc123", state: "s1" });
    expect(readCode("abcDEF-123")).toEqual({ code: "abcDEF-123", state: null });
  });

  it("is refused when there is no code in it", () => {
    expect(readCode("http://localhost:1/cb?error=denied")).toBeNull();
    expect(readCode("hello there")).toBeNull();
  });
});
