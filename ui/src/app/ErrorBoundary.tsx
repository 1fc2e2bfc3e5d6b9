import { Component, type ErrorInfo, type ReactNode } from "react";
import { Button } from "@/ui/Button";
import { reloadOnce, resetAppData } from "./recover";

interface Props {
  children: ReactNode;
  /** What stops working when the children fail, for the message. */
  what?: string;
  /** A change of this brings the children back. */
  resetKey?: string;
}
interface State {
  error: Error | undefined;
  key: string | undefined;
}

/** Keeps a failing part from taking the rest of the page with it. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: undefined, key: this.props.resetKey };

  static getDerivedStateFromError(error: Error): Partial<State> {
    return { error };
  }

  static getDerivedStateFromProps(props: Props, state: State): Partial<State> | null {
    return props.resetKey === state.key ? null : { error: undefined, key: props.resetKey };
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    console.error(error, info.componentStack);
    if (/dynamically imported module|Importing a module script failed/.test(error.message)) reloadOnce();
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <div role="alert" className="mx-auto flex max-w-md flex-col items-center gap-3 px-6 py-16 text-center">
        <h1 className="text-section font-semibold">{this.props.what ?? "This page"} stopped working</h1>
        <p className="text-ui text-text-2">Your drafts and unsent messages are safe. Loading the page again usually helps.</p>
        <div className="flex flex-wrap justify-center gap-2">
          <Button onClick={() => this.setState({ error: undefined })}>Try again</Button>
          <Button kind="ink" onClick={() => location.reload()}>
            Reload
          </Button>
        </div>
        <details className="w-full text-meta text-text-3">
          <summary className="mx-auto w-fit underline underline-offset-2">Details</summary>
          <pre className="mt-2 overflow-x-auto rounded-ctl bg-sunken p-3 text-left font-mono text-meta whitespace-pre-wrap select-text">{error.stack ?? error.message}</pre>
          <Button kind="danger" size="sm" className="mt-3" onClick={() => void resetAppData()}>
            Reset app data
          </Button>
        </details>
      </div>
    );
  }
}
