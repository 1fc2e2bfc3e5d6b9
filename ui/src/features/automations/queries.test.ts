import { describe, expect, it } from "vitest";
import { readParams } from "./Listeners";
import { cronWords, when } from "./queries";

describe("schedules in words", () => {
  it("say the common ones and leave the others as they are", () => {
    expect(cronWords("0 * * * *")).toBe("every hour");
    expect(cronWords("*/15 * * * *")).toBe("every 15 minutes");
    expect(cronWords("30 7 * * *")).toBe("every day at 07:30 UTC");
    expect(cronWords("0 9 * * 1-5")).toBe("on working days at 09:00 UTC");
    expect(cronWords("0 9 * * 0")).toBe("every Sunday at 09:00 UTC");
    expect(cronWords("0 9 1 * *")).toBe("at 0 9 1 * * (UTC)");
    expect(when("time:timer_fired", { duration: "10m" })).toBe("once, after 10m");
  });
});

describe("the form of an event", () => {
  it("reads each kind of parameter and names the one that is wrong", () => {
    const defs = [
      { name: "n", label: "N", type: "number" as const, required: true },
      { name: "j", label: "J", type: "json" as const },
      { name: "b", label: "B", type: "boolean" as const },
    ];
    expect(readParams(defs, { n: "3", j: '{"a":1}', b: true })).toEqual({ params: { n: 3, j: { a: 1 }, b: true } });
    expect(readParams(defs, {})).toMatchObject({ wrong: "n" });
    expect(readParams(defs, { n: "x" })).toMatchObject({ wrong: "n" });
    expect(readParams(defs, { n: "1", j: "{" })).toMatchObject({ wrong: "j" });
  });
});
