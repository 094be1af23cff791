// Unpacks the front end of a saved page and starts it, as inline scripts, which the page's policy allows.
(async () => {
  for (const packed of document.querySelectorAll("script.headscope-code")) {
    const bytes = Uint8Array.from(atob(packed.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    packed.replaceWith(script);
  }
})().catch((error) => {
  for (const place of document.querySelectorAll(".headscope-frozen")) {
    place.append(`This browser cannot unpack the figure: ${error}`);
  }
});
