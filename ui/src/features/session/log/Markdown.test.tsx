import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import { Markdown } from "./Markdown";

function show(text: string, live = false) {
  return render(<Markdown text={text} live={live} />);
}

afterEach(cleanup);

describe("an agent's Markdown", () => {
  it("never becomes markup of the page", () => {
    const { container } = show('Hi <script>alert(1)</script> <img src=x onerror="alert(1)">\n\n<div onclick="x()">block</div>');
    expect(container.querySelector("script, img, [onclick]")).toBeNull();
    expect(container.textContent).toContain("<script>alert(1)</script>");
    expect(container.textContent).toContain('<div onclick="x()">block</div>');
  });

  it("links only to known schemes, and never with a handle on our page", () => {
    const { container } = show("[a](javascript:alert(1)) [b](data:text/html,x) [c](https://example.org) [d](mailto:a@b.c)");
    const links = [...container.querySelectorAll("a")];
    expect(links.map((link) => link.getAttribute("href"))).toEqual(["https://example.org", "mailto:a@b.c"]);
    for (const link of links) expect(link.getAttribute("rel")).toBe("noopener noreferrer");
  });

  it("loads no picture from elsewhere", () => {
    const { container } = show("![chart](https://tracker.example/x.png)");
    expect(container.querySelector("img")).toBeNull();
    expect(screen.getByText("chart").getAttribute("href")).toBe("https://tracker.example/x.png");
  });

  it("shows tables, task lists, entities and escapes", () => {
    const { container } = show("| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n\nA &amp; B \\*not bold\\*");
    expect(container.querySelectorAll("th")).toHaveLength(2);
    expect(container.querySelectorAll<HTMLInputElement>("input[type=checkbox]")[0]?.checked).toBe(true);
    expect(container.textContent).toContain("A & B *not bold*");
  });

  it("keeps finished blocks mounted while the last one grows", () => {
    const { container, rerender } = show("First\n\nSec", true);
    const first = container.querySelector("p");
    rerender(<Markdown text={"First\n\nSecond and more\n\nThird"} live />);
    expect(container.querySelector("p")).toBe(first);
    expect(container.querySelectorAll("p")).toHaveLength(3);
  });

  it("keeps the exact text of code", () => {
    const code = "  if (a < b) {\n\treturn `x`;\n  }\n\n  done();";
    const { container } = show(`\`\`\`ts\n${code}\n\`\`\``);
    expect(container.querySelector("pre")?.textContent).toBe(code);
  });
});
