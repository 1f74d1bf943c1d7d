/** What a proxy counts since its start. */
export interface ProxyCounters {
  received: number;
  /** Datagrams that were no SIP message that could be answered, or broken responses. */
  unreadable: number;
  /** Requests answered 400, 403, 407, 416, 420, 481, 482, 483, 505 or 513 before a policy was asked. */
  rejected: number;
  /** Of them, and of ACKs, those inside a dialog that nobody knows here. */
  unknownDialogs: number;
  /** Of them, and of ACKs, those in the name of a user of another domain that did not come from that domain's hop. */
  misplaced: number;
  /** Requests that named a way on which this proxy does not relay. */
  notRelayed: number;
  /** Responses that no transaction waited for. */
  stray: number;
  /** Requests answered 503, since there were too many transactions or sessions. */
  overloaded: number;
}

export const newProxyCounters = (): ProxyCounters => ({
  received: 0,
  unreadable: 0,
  rejected: 0,
  unknownDialogs: 0,
  misplaced: 0,
  notRelayed: 0,
  stray: 0,
  overloaded: 0,
});
