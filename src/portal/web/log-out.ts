/** Logging out, until the server has said that it is done: somebody may have left the screen believing so. */
import { type ApiClient, ApiError } from "./api/client.js";

export interface LogOutOptions {
  readonly api: ApiClient;
  /** The log-in is no more. */
  readonly onDone: () => void;
  /** It goes on; tried again soon. */
  readonly onFailed: (why: string) => void;
}

const AGAIN = 5000;

export class LogOut {
  readonly #options: LogOutOptions;
  #timer: number | undefined;

  constructor(options: LogOutOptions) {
    this.#options = options;
  }

  /** Tries now, and again for as long as it takes. */
  async start(): Promise<void> {
    const { api, onDone, onFailed } = this.#options;
    this.stop();
    try {
      await api.logout();
    } catch (error) {
      if (!isUnknown(error)) {
        this.#timer = window.setTimeout(() => void this.start(), AGAIN);
        onFailed(error instanceof Error ? error.message : String(error));
        return;
      }
    }
    onDone();
  }

  stop(): void {
    window.clearTimeout(this.#timer);
  }
}

/** The server does not know the log-in any longer. */
const isUnknown = (error: unknown): boolean => error instanceof ApiError && error.status === 401;
