/** Which session a proxy means by which handle, and the other way round. */
import { handleKey } from "../../cops/codec/message.js";
import type { SessionId } from "../../model/session.js";

export class HandleTable {
  readonly #sessions = new Map<string, SessionId>();
  readonly #handles = new Map<SessionId, Buffer>();

  /** The session's handle from now on; one that it had before still leads to it. */
  bind(handle: Buffer, session: SessionId): void {
    this.#sessions.set(handleKey(handle), session);
    this.#handles.set(session, handle);
  }

  unbind(handle: Buffer): void {
    const session = this.sessionOf(handle);
    this.#sessions.delete(handleKey(handle));
    if (session !== undefined && this.#handles.get(session)?.equals(handle) === true) this.#handles.delete(session);
  }

  sessionOf(handle: Buffer): SessionId | undefined {
    return this.#sessions.get(handleKey(handle));
  }

  handleOf(session: SessionId): Buffer | undefined {
    return this.#handles.get(session);
  }
}
