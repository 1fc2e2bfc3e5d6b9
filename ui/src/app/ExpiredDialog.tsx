import { useState } from "react";
import { AuthForm } from "@/features/auth/AuthForm";
import { auth, useAuth } from "@/data/auth";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { forgetEverything } from "./services";

/** The login ran out: ask again over the current screen, with everything left where it is. */
export function ExpiredDialog() {
  const { expired, person } = useAuth();
  const [email, setEmail] = useState<string | undefined>();
  return (
    <Dialog open={expired} onClose={() => undefined} demanding title="You've been signed out" description="Sign in again to carry on. Nothing you've written is lost.">
      <AuthForm mode="sign-in" email={email ?? person?.email ?? ""} onEmail={setEmail} lockEmail />
      <Button
        kind="quiet"
        className="mt-3 mb-2 w-full"
        onClick={() => void forgetEverything().then(() => auth.setState({ status: "out", person: undefined, expired: false }))}
      >
        Use another account
      </Button>
    </Dialog>
  );
}
