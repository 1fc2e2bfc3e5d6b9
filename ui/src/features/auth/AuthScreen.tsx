import { useEffect, useState } from "react";
import { Link } from "wouter";
import { Logo } from "@/app/Logo";
import { navigate, to, useRoute } from "@/app/routes";
import { signupStatus, useAuth } from "@/data/auth";
import { Spinner } from "@/ui/Spinner";
import { AuthForm } from "./AuthForm";
import type { Mode } from "./words";

/** Sign in and sign up: one quiet page, one column. */
export function AuthScreen({ mode }: { mode: Mode }) {
  const { status } = useAuth();
  const route = useRoute();
  const next = route.name === "sign-in" || route.name === "sign-up" ? route.next : undefined;
  const [email, setEmail] = useState("");
  const [open, setOpen] = useState<boolean | undefined>();

  useEffect(() => {
    let current = true;
    if (status === "out") {
      void signupStatus().then((answer) => {
        if (!current) return;
        setOpen(answer.open);
        // Nobody can sign in yet.
        if (answer.first && mode === "sign-in") navigate(to.signUp(next), { replace: true });
      });
    }
    return () => {
      current = false;
    };
  }, [status, mode, next]);

  useEffect(() => {
    document.title = mode === "sign-in" ? "Sign in — PizzaPi" : "Create account — PizzaPi";
  }, [mode]);

  return (
    <main className="flex min-h-dvh flex-col items-center bg-bg px-5 pt-[max(9dvh,calc(var(--safe-top)+24px))] pb-12 text-text">
      <div className="flex w-full max-w-[22rem] flex-col gap-7">
        <header className="flex flex-col gap-4">
          <Logo size={40} />
          <div>
            <h1 className="text-greet font-semibold tracking-[-0.01em]">{mode === "sign-in" ? "Welcome back" : "Create your account"}</h1>
            <p className="mt-1 text-ui text-text-2">{mode === "sign-in" ? "Your agents are where you left them." : "One account for all your machines and sessions."}</p>
          </div>
        </header>
        {status === "unreachable" ? (
          <div role="status" className="flex items-center gap-3 rounded-card border border-line bg-surface px-4 py-3 text-ui text-text-2">
            <Spinner />
            The relay isn't answering. Trying again every few seconds.
          </div>
        ) : mode === "sign-up" && open === false ? (
          <p className="rounded-card border border-line bg-surface px-4 py-3 text-ui text-text-2">New accounts are closed on this relay. Ask whoever runs it to open sign-up or to create one for you.</p>
        ) : (
          <AuthForm key={mode} mode={mode} email={email} onEmail={setEmail} />
        )}
        {status !== "unreachable" && (
          <p className="text-ui text-text-2">
            {mode === "sign-in" ? (
              open !== false && (
                <>
                  New here?{" "}
                  <Link href={to.signUp(next)} className="font-medium text-accent underline-offset-2 hover:underline">
                    Create an account
                  </Link>
                </>
              )
            ) : (
              <>
                Have an account?{" "}
                <Link href={to.signIn(next)} className="font-medium text-accent underline-offset-2 hover:underline">
                  Sign in
                </Link>
              </>
            )}
          </p>
        )}
      </div>
    </main>
  );
}
