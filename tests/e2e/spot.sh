# A job that counts, keeps its count in checkpoints, and saves once more when it is told to end.
count=0
for saved in "$WEYR_CHECKPOINT_DIR"/*; do
    [ -e "$saved" ] && count=$(cat "$saved") && echo "resumed at $count"
done
save() {
    echo "$count" >"$WEYR_CHECKPOINT_DIR/.count.tmp"
    mv "$WEYR_CHECKPOINT_DIR/.count.tmp" "$WEYR_CHECKPOINT_DIR/count-$(printf %06d "$count")"
}
trap 'save; echo "saved $count"; exit 143' TERM
echo "counting from $count"
while [ "$count" -lt 1000000 ]; do
    count=$((count + 1))
    [ -e "$FINISH" ] && echo "finished at $count" && exit 0
    sleep 0.02
done
