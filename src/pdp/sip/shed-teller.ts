/** Tells one proxy of sessions that were shed, or ended by this server: a pool that goes may take thousands with it. */
import type { PdpPeer } from "../../cops/endpoint/pdp-peer.js";
import type { Logger } from "../../model/log.js";
import type { SessionId } from "../../model/session.js";
import type { HandleTable } from "./handle-table.js";
import { type Notice, shedDecision } from "./shed-decision.js";

export interface ShedTellerOptions {
  readonly peer: Pick<PdpPeer, "decide">;
  readonly handles: HandleTable;
  /** Named in Warning headers (RFC 3261 §20.43). */
  readonly agent: string;
  readonly log: Logger;
  /** The decision is about to go out. */
  readonly onTold: (session: SessionId) => void;
}

/** Decisions whose reports are waited for at a time: far fewer than end the connection (`maxUnreported`). */
const WINDOW = 256;

export class ShedTeller {
  readonly #options: ShedTellerOptions;
  /** In the order in which it became of them. */
  readonly #waiting = new Map<SessionId, Notice>();
  #unreported = 0;

  constructor(options: ShedTellerOptions) {
    this.#options = options;
  }

  /** A session that has no handle by its turn is over, or is told when the proxy has synchronised. */
  tell(session: SessionId, notice: Notice): void {
    this.#waiting.set(session, notice);
    this.#goOn();
  }

  #goOn(): void {
    for (const [session, notice] of this.#waiting) {
      if (this.#unreported >= WINDOW) return;
      this.#waiting.delete(session);
      const handle = this.#options.handles.handleOf(session);
      if (handle !== undefined) this.#decide(session, handle, notice);
    }
  }

  #decide(session: SessionId, handle: Buffer, notice: Notice): void {
    const { peer, agent, log, onTold } = this.#options;
    this.#unreported += 1;
    onTold(session);
    peer
      .decide(handle, [shedDecision({ id: session }, notice, agent)])
      .then(
        ({ reportType }) => {
          if (reportType !== "success") log.warn("pdp.shed-not-told", { session, report: reportType });
        },
        // It hung up meanwhile, or is told again when it comes back.
        (error: unknown) => log.info("pdp.shed-unanswered", { session, error }),
      )
      .finally(() => {
        this.#unreported -= 1;
        this.#goOn();
      });
  }
}
