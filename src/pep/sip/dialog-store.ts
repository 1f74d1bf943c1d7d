/** Dialogs that a policy server knows of, durable: a restarted proxy must be able to let them go. */
import type { SipEvent } from "../../cops/sip/codes.js";
import { type SessionId, sessionIdOf } from "../../model/session.js";
import type { Timestamp } from "../../model/units.js";
import type { DialogContext } from "../../sip/proxy/policy.js";
import { type Database, type Migration, openDatabase, type Statement } from "../../store/database.js";

/** An event and the SIP message that was it, base64. */
export interface Notice {
  readonly event: SipEvent;
  readonly message: string;
}

export interface PepDialog {
  readonly context: DialogContext;
  /** Number of the COPS handle. */
  readonly handle: number;
  /** `unpoliced`: let through without a decision; the policy server does not know it. */
  readonly phase: "policed" | "unpoliced" | "ending";
  readonly answered: boolean;
  /** When the INVITE came. */
  readonly since: Timestamp;
  /** What the policy server was last asked, and agreed to: said again when it asks to synchronise. */
  readonly last: Notice;
  /** In phase `ending`: what ended it; none if the set-up was cut off by our own stop. */
  readonly end?: Notice;
  /** Session description of the last answer that was decided on. */
  readonly answer: string | undefined;
  /** Of that answer the parties are yet to hear what was granted. */
  readonly untold?: boolean;
  /** What the policy server has said of a session whose bandwidth it took back: said again, it is no news. */
  readonly shed?: "bestEffort" | "bye";
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: "dialogs",
    up: "CREATE TABLE dialog (session TEXT PRIMARY KEY, dialog TEXT NOT NULL) STRICT",
  },
];

export class DialogStore {
  readonly #database: Database;
  readonly #dialogs = new Map<SessionId, PepDialog>();
  readonly #byHandle = new Map<number, SessionId>();
  readonly #upsert: Statement<[string, string]>;
  readonly #delete: Statement<[string]>;
  #lastHandle = 0;

  constructor(path: string) {
    this.#database = openDatabase(path, MIGRATIONS);
    this.#upsert = this.#database.prepare(
      "INSERT INTO dialog (session, dialog) VALUES (?, ?) ON CONFLICT (session) DO UPDATE SET dialog = excluded.dialog",
    );
    this.#delete = this.#database.prepare("DELETE FROM dialog WHERE session = ?");
    for (const row of this.#database.prepare("SELECT dialog FROM dialog").all() as { dialog: string }[]) {
      const dialog = JSON.parse(row.dialog) as PepDialog;
      this.#remember(dialog);
      this.#lastHandle = Math.max(this.#lastHandle, dialog.handle);
    }
  }

  /** RFC 2748 §2.2.1: unique among the open requests of the connection. */
  nextHandle(): number {
    this.#lastHandle = this.#lastHandle >= 0xffffffff ? 1 : this.#lastHandle + 1;
    return this.#lastHandle;
  }

  get(session: SessionId): PepDialog | undefined {
    return this.#dialogs.get(session);
  }

  ofHandle(handle: number | undefined): PepDialog | undefined {
    const session = handle === undefined ? undefined : this.#byHandle.get(handle);
    return session === undefined ? undefined : this.#dialogs.get(session);
  }

  all(): readonly PepDialog[] {
    return [...this.#dialogs.values()];
  }

  /** The dialog with this Call-ID whose caller is one of the two tags: its session's id is made of the two. */
  find(callId: string, tags: readonly string[]): PepDialog | undefined {
    for (const tag of tags) {
      const dialog = this.#dialogs.get(sessionIdOf(callId, tag));
      if (dialog !== undefined) return dialog;
    }
    return undefined;
  }

  save(dialog: PepDialog): PepDialog {
    const { session } = dialog.context;
    this.#upsert.run(session, JSON.stringify(dialog));
    this.#remember(dialog);
    return dialog;
  }

  remove(session: SessionId): void {
    this.#delete.run(session);
    this.#forget(session);
  }

  close(): void {
    this.#database.close();
  }

  #remember(dialog: PepDialog): void {
    const { session } = dialog.context;
    const before = this.#dialogs.get(session);
    // A session that began anew has another handle.
    if (before !== undefined) this.#byHandle.delete(before.handle);
    this.#dialogs.set(session, dialog);
    this.#byHandle.set(dialog.handle, session);
  }

  #forget(session: SessionId): void {
    const dialog = this.#dialogs.get(session);
    if (dialog !== undefined) this.#byHandle.delete(dialog.handle);
    this.#dialogs.delete(session);
  }
}
