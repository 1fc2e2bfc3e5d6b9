import { Check, Smartphone } from "lucide-react";
import { useEffect, useState } from "react";
import { renderSVG } from "uqr";
import { isObject } from "@/data/storage";
import { api, messageOf } from "@/net/api";
import { Banner, Card, EmptyState, ErrorState, Skeleton } from "@/ui/bits";
import { Button } from "@/ui/Button";
import { Icon } from "@/ui/Icon";

interface Link {
  id: string;
  status: "pending" | "scanned" | "approved" | "expired";
  verificationToken: string | undefined;
  deviceName: string | undefined;
}

/** How often the link is looked at while a phone is expected, ms. */
const POLL_MS = 2_000;

function readLink(value: unknown): Link {
  const body = isObject(value) ? value : {};
  const status = (["pending", "scanned", "approved", "expired"] as const).find((known) => known === body["status"]);
  return {
    id: typeof body["id"] === "string" ? body["id"] : "",
    status: status ?? "expired",
    verificationToken: typeof body["verificationToken"] === "string" ? body["verificationToken"] : undefined,
    deviceName: typeof body["deviceName"] === "string" ? body["deviceName"] : undefined,
  };
}

/** Bring the phone app into this account: show a code, compare six characters, approve. */
export function MobileLinkPage({ id }: { id: string | undefined }) {
  const [link, setLink] = useState<Link | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);
  const [round, setRound] = useState(0);

  useEffect(() => {
    let current = true;
    setProblem(undefined);
    const begin = id && round === 0 ? api.get<unknown>(`/api/mobile-link/${encodeURIComponent(id)}`) : api.post<unknown>("/api/mobile-link", { relayUrl: location.origin });
    begin.then((value) => current && setLink(readLink(value))).catch((error: unknown) => current && setProblem(messageOf(error)));
    return () => {
      current = false;
    };
  }, [id, round]);

  const waiting = link && (link.status === "pending" || link.status === "scanned");
  useEffect(() => {
    if (!waiting || !link.id) return undefined;
    const timer = setInterval(() => {
      api
        .get<unknown>(`/api/mobile-link/${encodeURIComponent(link.id)}`)
        .then((value) => setLink(readLink(value)))
        .catch(() => undefined);
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [waiting, link?.id]);

  const approve = async () => {
    if (!link?.verificationToken) return;
    setBusy(true);
    try {
      setLink(readLink(await api.post<unknown>(`/api/mobile-link/${encodeURIComponent(link.id)}/approve`, { verificationToken: link.verificationToken })));
    } catch (error) {
      setProblem(messageOf(error));
    }
    setBusy(false);
  };
  const again = () => {
    setLink(undefined);
    setRound(round + 1);
  };

  return (
    <div className="grid min-h-0 flex-1 place-items-center overflow-y-auto p-5">
      <Card className="flex w-full max-w-sm flex-col items-center gap-4 p-6 text-center">
        <h1 className="flex items-center gap-2 text-section font-semibold">
          <Icon icon={Smartphone} size={18} />
          Link a phone
        </h1>
        {problem && <ErrorState title="That didn't work" detail={problem} onRetry={again} className="py-2" />}
        {!problem && !link && <Skeleton className="size-52" />}
        {!problem && link?.status === "pending" && (
          <>
            <p className="text-ui text-text-2">Scan this with the app on your phone.</p>
            <Qr text={`${location.origin}/mobile-link?id=${encodeURIComponent(link.id)}`} />
          </>
        )}
        {!problem && link?.status === "scanned" && (
          <>
            <p className="text-ui text-text-2">{link.deviceName ?? "A phone"} asks to join. Does it show these characters?</p>
            <p className="font-mono text-greet font-semibold tracking-[0.2em] select-all">{link.verificationToken ?? "······"}</p>
            <Banner tone="wait">Approve only if they are the same.</Banner>
            <div className="flex w-full gap-2">
              <Button className="flex-1" onClick={again}>
                They differ
              </Button>
              <Button kind="ink" className="flex-1" busy={busy} disabled={!link.verificationToken} onClick={() => void approve()}>
                Approve
              </Button>
            </div>
          </>
        )}
        {!problem && link?.status === "approved" && <EmptyState className="py-2" icon={Check} title="Your phone is linked" />}
        {!problem && link?.status === "expired" && (
          <EmptyState className="py-2" title="This code has expired" action={<Button onClick={again}>Show a new one</Button>} />
        )}
      </Card>
    </div>
  );
}

/** Drawn as an image, so that no markup from a library enters the page. */
function Qr({ text }: { text: string }) {
  return <img alt="Code to scan with your phone" width={208} height={208} className="rounded-card bg-[white] p-2" src={`data:image/svg+xml,${encodeURIComponent(renderSVG(text, { border: 1 }))}`} />;
}
