// What a person with a laptop does: sign up, link a machine, start a session, steer it from both sides, and lose the relay on the way.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPage, shot } from "../browser.ts";
import { cleanUp, PASSWORD, post, Program, type Relay, scratch, startRelay, until } from "../harness.ts";
import { Model } from "../model.ts";
import { Terminal } from "../terminal.ts";

let relay: Relay;
let model: Model;
let home: string;
let project: string;
let page: Page;
let context: BrowserContext;
let errors: string[];
const email = "ana@example.com";

beforeAll(async () => {
  [relay, model] = await Promise.all([startRelay(), Model.start()]);
  const folder = scratch("story");
  home = join(folder, "home");
  project = join(folder, "margherita");
  mkdirSync(project, { recursive: true });
  execFileSync("git", ["init", "-q", project]);
  ({ page, context, errors } = await openPage());
});
afterAll(cleanUp);

/** Every transcript of this home, newest last, as the texts people and the agent said. */
function transcript(): string[] {
  const root = join(home, "sessions");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => join(root, name))
    .sort((left, right) => statSync(left).mtimeMs - statSync(right).mtimeMs);
  const lines = readFileSync(files.at(-1)!, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  return lines
    .map((entry) => entry.message)
    .filter((message) => message && (message.role === "user" || message.role === "assistant"))
    .map((message) =>
      typeof message.content === "string"
        ? message.content
        : message.content.filter((block: any) => block.type === "text").map((block: any) => block.text).join(""),
    )
    .filter((text) => text !== "");
}

async function send(text: string): Promise<void> {
  const box = page.locator(".composer textarea, textarea").last();
  await box.fill(text);
  await box.press("Enter");
}

async function sees(text: string, timeout = 20_000): Promise<void> {
  await page.getByText(text, { exact: false }).first().waitFor({ state: "visible", timeout });
}

describe.sequential("one evening with PizzaPi", () => {
  test("the first visitor creates the account; nobody else can", async () => {
    await page.goto(relay.url);
    const create = page.getByRole("link", { name: /create/i });
    await page.getByLabel("E-mail").waitFor();
    if (!page.url().includes("sign-up") && (await create.count()) > 0) await create.click();
    await page.getByLabel(/^Name/).fill("Ana");
    await page.getByLabel("E-mail").fill(email);
    await page.locator("input[type=password]").fill(PASSWORD);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => !url.pathname.startsWith("/sign"));
    const refused = await post(relay, "/api/auth/sign-up/email", { name: "Eve", email: "eve@example.com", password: PASSWORD });
    expect(refused.status).toBe(403);
  });

  test("a runner started on the machine shows up by itself", async () => {
    const registered = await post(relay, "/api/register", { email, password: PASSWORD });
    const { key } = (await registered.json()) as { key: string };
    model.configure(home, relay, key);
    const runner = new Program("runner", ["runner"], { PIZZAPI_HOME: home, PIZZAPI_RUNNER_NAME: "oven", SHELL: "/bin/sh" }, project);
    await until("the runner", () => runner.output.includes("registered") || !runner.running);
    await sees("oven");
    expect(runner.running, runner.output).toBe(true);
  });

  test("a session started in the browser streams, and its work is on the disk", async () => {
    await model.script(
      [
        { thinking: "A file is wanted." }, { text: "I will write it down." },
        { tool: { name: "write", args: { path: "recipe.txt", content: "flour, water, salt\n" } } },
      ],
      [{ pace: 15 }, { text: "The recipe is in **recipe.txt** now." }],
    );
    await page.goto(`${relay.url}/?cwd=${encodeURIComponent(project)}`);
    const prompt = page.getByLabel("What should the agent do?");
    await prompt.waitFor();
    if ((await page.getByText("Choose a folder").count()) > 0) {
      await page.getByText("Choose a folder").click();
      await page.getByPlaceholder(/Type a path/).fill(project);
      await page.getByText("Use this folder").click();
    }
    await prompt.fill("Write the recipe down");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.waitForURL(/\/session\//);
    await sees("The recipe is in");
    expect(readFileSync(join(project, "recipe.txt"), "utf8")).toBe("flour, water, salt\n");
    await shot(page, "session");
  });

  test("it stops when told to, and goes on afterwards", async () => {
    await model.script([{ text: "Kneading for a very long time" }, { wait: "never" }], [{ text: "Back at the counter." }]);
    await send("Knead");
    await sees("Kneading for a very long time");
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "hidden" });
    await send("Are you there?");
    await sees("Back at the counter.");
  });

  test("a terminal on the machine runs what is typed, full-screen programs included", async () => {
    await page.getByRole("button", { name: /^Terminal/ }).first().click();
    const keys = page.locator(".xterm-helper-textarea").first();
    await keys.waitFor({ state: "attached" });
    await until("the terminal to take the focus", async () => {
      await keys.focus();
      return keys.evaluate((element) => element === document.activeElement);
    });
    await page.keyboard.type(`cd '${project}' && vi -u NONE menu.txt\n`);
    await until("vi", () => existsSync(join(project, ".menu.txt.swp")) || existsSync(join(project, ".menu.swp")));
    await page.keyboard.type("imargherita");
    await page.keyboard.press("Escape");
    await page.keyboard.type(":wq\n");
    await until("the file", () => existsSync(join(project, "menu.txt")));
    expect(readFileSync(join(project, "menu.txt"), "utf8")).toBe("margherita\n");
    await shot(page, "terminal");
    await page.getByRole("button", { name: /^Terminal/ }).first().click();
  });

  let terminal: Terminal;

  test("a session in a terminal appears in the browser, and both sides talk in it", async () => {
    terminal = Terminal.start([], project, { PIZZAPI_HOME: home });
    await terminal.sees("ask anything");
    await model.script([{ text: "Hello to the terminal." }], [{ text: "Hello to the browser." }]);
    terminal.type("Hi from the terminal");
    terminal.key("Enter");
    await terminal.sees("Hello to the terminal.");
    const open = new URL(page.url()).pathname;
    const other = page.locator(`a[href^="/session/"]:not([href^="${open}"])`).first();
    await other.waitFor();
    await other.click();
    await sees("Hello to the terminal.");
    await send("Hi from the browser");
    await terminal.sees("Hello to the browser.");
    await sees("Hello to the browser.");
  });

  test("closing the browser changes nothing", async () => {
    const address = page.url();
    const state = await context.storageState();
    await context.close();
    await model.script([{ text: "Nobody watched this." }]);
    terminal.type("Say something unseen");
    terminal.key("Enter");
    await terminal.sees("Nobody watched this.");
    ({ page, context, errors } = await openPage({ storageState: state }));
    await page.goto(address);
    await sees("Nobody watched this.");
  });

  test("the relay is killed in the middle of an answer; browser, terminal and transcript agree afterwards", async () => {
    await model.script([{ text: "First half of the answer," }, { wait: "half" }, { text: " second half, told to nobody." }]);
    terminal.type("Tell me a long story");
    terminal.key("Enter");
    await sees("First half of the answer,");
    await relay.kill();
    await model.open("half");
    await terminal.sees("second half, told to nobody.");
    await relay.start();
    await sees("second half, told to nobody.", 40_000);
    await model.script([{ text: "Everything is still here." }]);
    await send("Is everything still there?");
    await terminal.sees("Everything is still here.", 30_000);
    await sees("Everything is still here.");

    const said = transcript();
    expect(said).toEqual([
      "Hi from the terminal", "Hello to the terminal.",
      "Hi from the browser", "Hello to the browser.",
      "Say something unseen", "Nobody watched this.",
      "Tell me a long story", "First half of the answer, second half, told to nobody.",
      "Is everything still there?", "Everything is still here.",
    ]);
    const shown = (await page.locator("body").innerText()).replace(/\s+/g, " ");
    const screen = terminal.screen().replace(/\s+/g, " ");
    for (const text of said) {
      expect(shown.split(text).length - 1, `"${text}" in the browser`).toBeGreaterThanOrEqual(1);
      expect(screen, `"${text}" in the terminal`).toContain(text);
    }
    await shot(page, "after-the-crash");
  });

  test("it looks right on a phone, in both themes", async () => {
    const state = await context.storageState();
    for (const colorScheme of ["light", "dark"] as const) {
      const phone = await openPage({ viewport: { width: 390, height: 844 }, colorScheme, storageState: state });
      await phone.page.goto(page.url());
      await phone.page.getByText("Everything is still here.").first().waitFor();
      const overflow = await phone.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, "nothing sticks out sideways").toBeLessThanOrEqual(0);
      await shot(phone.page, `phone-${colorScheme}`);
      expect(phone.errors).toEqual([]);
      await phone.context.close();
    }
    expect(errors).toEqual([]);
  });
});
