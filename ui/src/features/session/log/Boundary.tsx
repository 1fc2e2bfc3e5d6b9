import { Component, type ReactNode } from "react";
import { Button, CopyButton } from "@/ui";
import { stringify } from "@/transcript/json";

interface Props {
  /** What could not be drawn, for copying. */
  readonly raw: unknown;
  /** A part of the screen rather than a row: says its name and offers to try again. */
  readonly part?: string;
  readonly children: ReactNode;
}

/** One row that cannot be drawn does not take the rest of the conversation with it. */
export class Boundary extends Component<Props, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override componentDidUpdate(before: Props): void {
    if (this.state.failed && before.raw !== this.props.raw) this.setState({ failed: false });
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    if (this.props.part !== undefined) {
      return (
        <div role="alert" className="flex items-center justify-center gap-3 p-4 text-ui text-text-2">
          <span>{this.props.part} stopped working. What you typed is safe.</span>
          <Button size="sm" onClick={() => this.setState({ failed: false })}>
            Try again
          </Button>
        </div>
      );
    }
    return (
      <div className="flex items-center gap-2 py-1 text-ui text-text-2">
        <span>This item can't be displayed.</span>
        <CopyButton text={() => stringify(this.props.raw, 2)}>Copy raw</CopyButton>
      </div>
    );
  }
}
