"""What the network costs; ``.compiled`` says where a GPU would spend its time."""
