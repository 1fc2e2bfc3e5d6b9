import { Page } from "@/app/Page";
import { to } from "@/app/routes";
import { Listeners } from "./Listeners";
import { Schedules } from "./Schedules";
import { Webhooks } from "./Webhooks";

/** Everything that starts or wakes a session without a person. */
export function AutomationsPage() {
  return (
    <Page title="Automations" description="What starts or wakes agents without you." back={to.runners()}>
      <div className="flex flex-col gap-10">
        <Listeners />
        <Schedules />
        <Webhooks />
      </div>
    </Page>
  );
}
