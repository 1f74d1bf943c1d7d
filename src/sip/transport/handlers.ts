/** What every transport is told once: whom to give messages to, and whom to tell of closed connections. */
import type { Flow, MessageHandler } from "./transport.js";

export class Handlers {
  message: MessageHandler = () => undefined;
  private readonly closed: ((flow: Flow) => void)[] = [];

  onFlowClosed(listener: (flow: Flow) => void): void {
    this.closed.push(listener);
  }

  flowClosed(flow: Flow): void {
    for (const listener of this.closed) listener(flow);
  }
}
