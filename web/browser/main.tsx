import { render } from "preact";
import { App } from "../components/app.tsx";
import { keepSketch } from "../sketch/keep-sketch.ts";
import { keepShelf } from "../state/shelf.ts";
import { startStudio } from "../state/studio.ts";
import { browserDrawer } from "./browser-drawer.ts";
import { isolate } from "./isolate.ts";
import { LoadingLine } from "./loading-line.tsx";
import { readSite } from "./site.ts";
import { wishesOf } from "./wishes.ts";

await isolate();
const stop = new AbortController();
const drawer = browserDrawer(readSite(stop.signal), wishesOf(new URLSearchParams(location.search)));

render(
  <>
    <App />
    <LoadingLine />
  </>,
  document.getElementById("page")!,
);
await Promise.all([keepSketch(), keepShelf(stop.signal)]);
startStudio(drawer, stop.signal);
