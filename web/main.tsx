import { render } from "preact";
import { App } from "./components/app.tsx";
import { apiKey } from "./http/api-key.ts";
import { asker } from "./http/ask.ts";
import { httpDrawer } from "./http/http-drawer.ts";
import { keepSketch } from "./sketch/keep-sketch.ts";
import { keepShelf } from "./state/shelf.ts";
import { startStudio } from "./state/studio.ts";

const stop = new AbortController();
const drawer = httpDrawer(asker(new URL("./", document.baseURI), () => apiKey.peek()));

render(<App />, document.getElementById("page")!);
await Promise.all([keepSketch(), keepShelf(stop.signal)]);
startStudio(drawer, stop.signal);
