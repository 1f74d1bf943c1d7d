/** Usage on its way to the clearinghouse: written when the session closes, sent until confirmed, counted once. */
import { SluiceError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { parseSessionId } from "../model/session.js";
import type { OspClient } from "../osp/client.js";
import { isSuccess } from "../osp/codec/status.js";
import type { Database } from "../store/database.js";
import { Outbox } from "../store/outbox.js";
import type { SessionRecord } from "./session-record.js";
import { usageKey, usageReport } from "./usage.js";

export class UsageSender {
  readonly #outbox: Outbox;
  readonly #client: OspClient;
  readonly #log: Logger;

  constructor(database: Database, client: OspClient, log: Logger) {
    this.#client = client;
    this.#log = log;
    this.#outbox = new Outbox({ database, deliver: (body, key) => this.#deliver(body, key), log });
  }

  start(): void {
    this.#outbox.start();
  }

  close(): Promise<void> {
    return this.#outbox.close();
  }

  status() {
    return this.#outbox.status();
  }

  /** To be called in the transaction that closes the session: the body is made once, and repeated as it is. */
  settle(record: SessionRecord): void {
    const report = usageReport(record);
    if (report !== undefined) this.#outbox.enqueue(usageKey(record), this.#client.usageBody([report]));
  }

  async #deliver(body: Buffer, key: string): Promise<"acked" | "rejected" | "retry"> {
    try {
      const confirmations = await this.#client.post(body, parseSessionId(key.slice(key.lastIndexOf(":") + 1)));
      const refused = confirmations.find(({ status }) => !isSuccess(status));
      if (refused === undefined) return "acked";
      // 5xx will pass; anything else is a judgement that asking again does not change.
      const outcome = refused.status.code >= 500 ? "retry" : "rejected";
      this.#log.warn("pdp.usage-refused", { key, status: refused.status.code, outcome });
      return outcome;
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      this.#log.info("pdp.usage-waits", { key, code: error.code });
      return "retry";
    }
  }
}
