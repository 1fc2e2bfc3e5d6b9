import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { useState } from "react";
import { auth } from "@/data/auth";
import { AuthForm } from "./AuthForm";
import type { Mode } from "./words";

const requests: { url: string; body: unknown }[] = [];
let reply: () => Response;

beforeEach(() => {
  requests.length = 0;
  reply = () => Response.json({ token: "t", user: { id: "u", name: "Ana", email: "ana@example.org" } });
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    requests.push({ url, body: JSON.parse(String(init.body ?? "null")) });
    return reply();
  });
  auth.setState({ status: "out", person: undefined, expired: false });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Form({ mode }: { mode: Mode }) {
  const [email, setEmail] = useState("");
  return <AuthForm mode={mode} email={email} onEmail={setEmail} />;
}
const fill = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

describe("signing in", () => {
  it("enters with what was typed", async () => {
    render(<Form mode="sign-in" />);
    fill("E-mail", " ana@example.org ");
    fill("Password", "Secret123");
    press("Sign in");
    await vi.waitFor(() => expect(auth.getState().status).toBe("in"));
    expect(requests).toEqual([{ url: "/api/auth/sign-in/email", body: { email: "ana@example.org", password: "Secret123", rememberMe: true } }]);
  });

  it("says one neutral thing about wrong words, keeps the password and selects it", async () => {
    reply = () => Response.json({ code: "INVALID_EMAIL_OR_PASSWORD", message: "x" }, { status: 401 });
    render(<Form mode="sign-in" />);
    fill("E-mail", "ana@example.org");
    fill("Password", "wrong");
    press("Sign in");
    await screen.findByText("That e-mail and password don't match an account.");
    const password = screen.getByLabelText<HTMLInputElement>("Password");
    expect(password.value).toBe("wrong");
    expect(document.activeElement).toBe(password);
    expect(auth.getState().expired).toBe(false);
  });

  it("says how long to wait", async () => {
    reply = () => Response.json({ message: "slow down" }, { status: 429, headers: { "x-retry-after": "8" } });
    render(<Form mode="sign-in" />);
    fill("E-mail", "ana@example.org");
    fill("Password", "x");
    press("Sign in");
    await screen.findByText(/Wait 8/);
  });
});

describe("signing up", () => {
  it("leads to the first open rule instead of sending", () => {
    render(<Form mode="sign-up" />);
    fill("E-mail", "ana@example.org");
    fill("Password", "short");
    press("Create account");
    expect(requests).toEqual([]);
    expect(document.activeElement).toBe(screen.getByLabelText("Password"));
    expect(screen.getByRole("alert").textContent).toContain("At least 8 characters");
  });

  it("takes the name from the address when none is given", async () => {
    render(<Form mode="sign-up" />);
    fill("E-mail", "ana@example.org");
    fill("Password", "Secret123");
    press("Create account");
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    expect(requests[0]?.body).toMatchObject({ name: "ana" });
  });
});
