/** Server-sent events: what the browser's own EventSource gives, with JSON read and the state of the connection told. */

export interface Feed {
  close(): void;
}

export interface FeedListeners {
  /** By name of the event. What is not JSON is left out. */
  readonly on: Readonly<Record<string, (data: unknown) => void>>;
  readonly onState: (isOpen: boolean) => void;
}

const REOPEN = 5000;

/** EventSource comes back by itself after a lost connection, but not after an answer that is not 200: that is done here. */
export function openFeed(path: string, { on, onState }: FeedListeners): Feed {
  let source: EventSource | undefined;
  let timer: number | undefined;
  const open = (): void => {
    const next = new EventSource(path);
    source = next;
    next.addEventListener("open", () => onState(true));
    next.addEventListener("error", () => {
      onState(false);
      if (next.readyState === EventSource.CLOSED) timer = window.setTimeout(open, REOPEN);
    });
    for (const [name, listener] of Object.entries(on)) {
      next.addEventListener(name, (event) => {
        const value = parse((event as MessageEvent<string>).data);
        if (value !== undefined) listener(value);
      });
    }
  };
  open();
  return {
    close: () => {
      window.clearTimeout(timer);
      source?.close();
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
