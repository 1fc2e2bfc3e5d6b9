// Chromium, driven by playwright-core, at the sizes people have.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { later, ROOT } from "./harness.ts";

const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

let browser: Browser | undefined;

export interface Options {
  viewport?: { width: number; height: number };
  colorScheme?: "light" | "dark";
  storageState?: Awaited<ReturnType<BrowserContext["storageState"]>>;
}

/** A page of its own context. Errors of the page's scripts are collected and must stay empty. */
export async function openPage(options: Options = {}): Promise<{ page: Page; context: BrowserContext; errors: string[] }> {
  if (!browser) {
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
    later(async () => {
      await browser?.close();
      browser = undefined;
    });
  }
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  return { page, context, errors };
}

/** Kept for people to look at. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = join(ROOT, "e2e/results");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
