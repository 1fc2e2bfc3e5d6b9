import { describe, expect, it } from "vitest";
import { cleanOutput, stripAnsi } from "./ansi";
import { spans } from "./spans";
import { addedText, diffTexts, lineText, parsePatch } from "./diff";
import { languageOf, languageOfPath } from "./highlight";

const ESC = "\u001b";

describe("terminal output", () => {
  it("becomes spans with colours of ours", () => {
    expect(spans(`${ESC}[32mok${ESC}[0m plain ${ESC}[1;38;5;196mred${ESC}[0m`)).toMatchObject([
      { text: "ok", color: "var(--ansi-green)" },
      { text: " plain ", color: null },
      { text: "red", color: "rgb(255, 0, 0)", bold: true },
    ]);
  });

  it("shows the last of what was written over", () => {
    expect(cleanOutput("10%\r50%\r100%\ndone\r\n")).toBe("100%\ndone\n");
  });

  it("drops titles, cursor movement and bells", () => {
    expect(stripAnsi(`${ESC}]0;title\u0007a${ESC}[2Kb${ESC}[10;2Hc\u0007${ESC}[31md${ESC}[0m`)).toBe("abcd");
  });
});

describe("diffs", () => {
  it("mark the words that differ and number the lines", () => {
    const diff = diffTexts("one\nlet a = get(token)\nthree\n", "one\nlet a = await get(token)\nthree\n");
    expect([diff.added, diff.removed]).toEqual([1, 1]);
    const added = diff.hunks[0]?.lines.find((line) => line.kind === "add");
    expect(added?.newNumber).toBe(2);
    expect(added?.pieces.filter((piece) => piece.changed).map((piece) => piece.text.trim())).toEqual(["await"]);
  });

  it("leave out what is far from a change and say how much", () => {
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`);
    const after = lines.map((line) => (line === "line 30" ? "LINE 30" : line));
    const [hunk] = diffTexts(lines.join("\n"), after.join("\n")).hunks;
    expect(hunk?.skipped).toBe(27);
    expect(hunk?.lines).toHaveLength(8);
  });

  it("keep every character of both sides", () => {
    const before = "  a  b\tc\n}\n";
    const after = "  a b\tc d\n\n}\n";
    const { hunks } = diffTexts(before, after);
    const side = (drop: "add" | "del"): string => hunks.flatMap((hunk) => hunk.lines.filter((line) => line.kind !== drop).map((line) => `${lineText(line)}\n`)).join("");
    expect(side("add")).toBe(before);
    expect(side("del")).toBe(after);
  });

  it("are read from what git writes", () => {
    const patch = `diff --git a/src/a.ts b/src/a.ts
index 1..2 100644
--- a/src/a.ts
+++ b/src/a.ts
@@ -1,2 +1,2 @@ function a() {
-old
+new
 same
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
--- a line that looks like a header
diff --git a/x.png b/x.png
new file mode 100644
Binary files /dev/null and b/x.png differ
diff --git a/old name.ts b/new name.ts
similarity index 100%
rename from old name.ts
rename to new name.ts
`;
    expect(parsePatch(patch).map(({ path, oldPath, added, removed, binary, status }) => ({ path, oldPath, added, removed, binary, status }))).toEqual([
      { path: "src/a.ts", oldPath: null, added: 1, removed: 1, binary: false, status: "changed" },
      { path: "gone.txt", oldPath: null, added: 0, removed: 1, binary: false, status: "deleted" },
      { path: "x.png", oldPath: null, added: 0, removed: 0, binary: true, status: "added" },
      { path: "new name.ts", oldPath: "old name.ts", added: 0, removed: 0, binary: false, status: "renamed" },
    ]);
  });

  it("show a new file as added lines", () => {
    expect(addedText("a\nb\n")).toMatchObject({ added: 2, removed: 0 });
  });
});

describe("languages", () => {
  it("are known by label and by file name", () => {
    expect([languageOf("rs"), languageOf("TypeScript {1-3}"), languageOf("nonsense"), languageOfPath("src/main.rs"), languageOfPath("Dockerfile"), languageOfPath("README")]).toEqual(["rust", "typescript", null, "rust", "docker", null]);
  });
});
