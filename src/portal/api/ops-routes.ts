/** What operators look at. Only GET: nothing can be changed from here. */
import { ok } from "../http/reply.js";
import type { Route } from "../http/routes.js";
import type { OpsWatch } from "../ops/ops-watch.js";
import { healthOf } from "../ops/snapshot.js";
import type { WatchedHosts } from "../ops/watched.js";

export interface OpsParts {
  readonly hosts: WatchedHosts;
  readonly watch: OpsWatch;
}

/** `/api/ops/…`. */
export const opsRoutes = ({ hosts, watch }: OpsParts): readonly Route[] => [
  {
    method: "GET",
    path: "/api/ops/roles",
    who: "operator",
    handle: async () => ok(await Promise.all(hosts.all.map(healthOf))),
  },
  {
    method: "GET",
    path: "/api/ops/stream",
    who: "operator",
    stream: (_request, open) => {
      const stream = open(() => watch.unlisten(stream));
      watch.listen(stream);
    },
  },
  {
    method: "GET",
    path: "/api/ops/:host/show/:topic",
    who: "operator",
    handle: ({ params }) => hosts.show(params.host ?? "", params.topic ?? ""),
  },
  ...(["explain", "events", "series"] as const).map(
    (name): Route => ({
      method: "GET",
      path: `/api/ops/:host/${name}`,
      who: "operator",
      handle: ({ params, query }) => hosts.view(params.host ?? "", name, query),
    }),
  ),
];
