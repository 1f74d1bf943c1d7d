/** What a proxy is told of its own users, and what is said of them. */
import type { Millis } from "../../model/units.js";
import type { DigestAlgorithm } from "../auth/algorithms.js";
import type { CredentialStore } from "../auth/credential-store.js";
import type { DigestVerifier } from "../auth/verifier.js";
import type { Directory } from "../location/directory.js";
import type { ExtraHeader } from "../message/build.js";
import type { SipRequest } from "../message/message.js";
import type { Registrar } from "../registrar/registrar.js";

/** What a proxy that has users of its own is told of them. */
export interface UserServices {
  readonly registrar: Registrar;
  /** Without it everybody is believed to be who From says (§10.3 step 3). */
  readonly authentication?: {
    readonly verifier: DigestVerifier;
    readonly credentials: CredentialStore;
    /** Offered, the most wanted first. */
    readonly algorithms: readonly DigestAlgorithm[];
    /** On WebSockets: what browsers' agents can do. */
    readonly webAlgorithms: readonly DigestAlgorithm[];
    /** Also for requests in a user's name that come by no connection of that user. */
    readonly always: boolean;
  };
  readonly directory?: Directory;
  /** How long an agent may take to come back when its connection has gone. */
  readonly flowGrace: Millis;
}

export interface Answer {
  readonly status: number;
  readonly phrase: string;
  readonly headers?: readonly ExtraHeader[];
}

export type Located =
  /** With another Request-URI if it is somebody's nick name. */
  { readonly kind: "found"; readonly request: SipRequest } | ({ readonly kind: "refused" } & Answer);
