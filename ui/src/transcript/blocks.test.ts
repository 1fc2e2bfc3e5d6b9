import { describe, expect, it } from "vitest";
import { NO_BLOCKS, splitBlocks, type Blocks } from "./blocks";
import { random } from "./testing";

const SAMPLE = `# Title

A paragraph
over two lines.

- one

- two

  still two
- three

1. first
2. second

> quote
> more

\`\`\`ts
const a = 1;

const b = 2;
\`\`\`

| a | b |
|---|---|
| 1 | 2 |

Last words`;

function grow(text: string, cuts: readonly number[]): Blocks {
  let blocks = NO_BLOCKS;
  for (const cut of cuts) blocks = splitBlocks(blocks, text.slice(0, cut));
  return splitBlocks(blocks, text);
}

describe("blocks of growing text", () => {
  it("lose nothing, whatever the pieces were", () => {
    for (let seed = 1; seed < 80; seed += 1) {
      const rand = random(seed);
      const cuts = Array.from({ length: 12 }, () => Math.floor(rand() * SAMPLE.length)).sort((a, b) => a - b);
      const blocks = grow(SAMPLE, cuts);
      expect(blocks.done.join("") + blocks.tail).toBe(SAMPLE);
    }
  });

  it("are the same whether the text came whole or letter by letter", () => {
    const whole = splitBlocks(NO_BLOCKS, SAMPLE);
    const letters = grow(
      SAMPLE,
      Array.from({ length: SAMPLE.length }, (_, index) => index),
    );
    expect(letters.done).toEqual(whole.done);
  });

  it("keep finished blocks as they are while more comes", () => {
    let blocks = NO_BLOCKS;
    for (let end = 1; end <= SAMPLE.length; end += 1) {
      const next = splitBlocks(blocks, SAMPLE.slice(0, end));
      blocks.done.forEach((block, index) => expect(next.done[index]).toBe(block));
      blocks = next;
    }
  });

  it("never cut code, lists or tables in two", () => {
    const { done, tail } = splitBlocks(NO_BLOCKS, SAMPLE);
    const all = [...done, tail];
    expect(all.filter((block) => block.includes("```"))).toHaveLength(1);
    expect(all.find((block) => block.includes("- one"))).toContain("- three");
    expect(all.find((block) => block.startsWith("| a"))).toContain("| 1 | 2 |");
    expect(tail).toBe("Last words");
  });

  it("begin again when the text is another one", () => {
    const first = splitBlocks(NO_BLOCKS, "one\n\ntwo\n\nthree");
    expect(splitBlocks(first, "ONE\n\ntwo").done).toEqual(["ONE\n\n"]);
  });

  it("leave an open fence open", () => {
    const { done, tail } = splitBlocks(NO_BLOCKS, "text\n\n```js\na\n\nb\n");
    expect(done).toEqual(["text\n\n"]);
    expect(tail).toBe("```js\na\n\nb\n");
  });
});
