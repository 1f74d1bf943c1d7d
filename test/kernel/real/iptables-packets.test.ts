import { describeIptables } from "./iptables-suite.js";
import { inOwnNamespace } from "./namespace.js";

inOwnNamespace(import.meta.url, () => describeIptables("iptables-nft", /nf_tables/));
